"""For those who add a method.

check       `istsbench check`: the conformance suite on methods, as lines to read and a count.
methodpage  The page about every method of the suite.
scaffold    `istsbench new`: a package with one method that works, to start from.
"""
