"""Why the depth maps of the 2020 report came out blank, and what makes them appear.

python -m studies.seed run --scale small      trains, measures, draws; started again, it goes on
python -m studies.seed paper                  writes docs/studies/seed.md from the results
"""
