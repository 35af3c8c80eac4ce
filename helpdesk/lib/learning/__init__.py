"""Learning to file short texts from those that people have filed, and keeping silent where that is unsure.

`learn` gives a `Model`: a linear classifier over words, pieces of words and a small table of word meanings, and beside it
a judge of its own guesses, taught on rows that the classifier had not seen, some of them about things it was never shown.
Two thresholds on what the judge says are fixed by cross-validation: answers above them are right in 95 and 99 of 100.

Nothing in here is imported at start-up: scikit-learn costs a second and 100 MB, so callers import inside their functions
(tests/lib/test_learning.py holds them to it).
"""
