"""The commands of `istsbench`; a command calls one library function and prints.

apply       `istsbench apply`: targets in pictures without labels.
completion  What a shell offers for a half-typed name of a method or data set, also after a comma.
convert     `istsbench convert`.
data        `istsbench data`: list, fetch, verify, stats.
errors      Errors of a command as one line and an exit code.
glossary    `istsbench glossary`.
listings    What `istsbench list` and `istsbench info` print.
merge       `istsbench merge`.
options     Options that several commands share.
paper       `istsbench sensitivity` and `bundle`: what goes into a paper besides its tables.
plugin      `istsbench check` and `new`: for those who write a method of their own.
printed     `istsbench lint` and `audit`: what can be told of tables that are printed.
reproduce   `istsbench reproduce`: published rows counted again from our maps.
results     `istsbench results`: take rows out of a results folder, or rename them.
run         `istsbench run`.
scale       `istsbench plan`, `env` and `run --protocol`: cost, machine, and a run made again.
table       `istsbench table`: a table of the paper from stored results.
train       `istsbench train`.
"""
