"""A month of a whole desk on the moved clock, and somebody who looks over its shoulder all the time.

`scheme` says what the desk is, in plain values; `desk` makes it; `play` lets customers write and people answer, through the
doors that they use; `workers` does what the workers would do. `roster`, `mirror`, `watch`, `ruler` and `promises` are the one
who looks: code of its own, which knows the scheme and the events that were told, and none of the product's reckoning.
"""
