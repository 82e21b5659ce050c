"""The tables and what else of them goes into a paper, beside what papers print.

audit         A verdict on every collected row: fits, fits another split, impossible.
auditpage     The audit as a page in Markdown.
choice        Columns and rows of a table as its reader wants them: which, in which order, how many.
claims        Published rows of methods that are here too, each with its profile.
collected     Rows that papers and repositories of 2022 to 2026 print, with their sources.
columns       What a column of numbers in a table holds, and the name it is written under.
combined      Table VI of several data sets as files, which never replace a table that shows more.
counterparts  The paper's tables IV.
cross         Networks on data sets that they were not trained on, beside those that they were.
flags         What is doubtful in printed rows: Pd, Fa, and rows that are alike.
foot          What stands under a table: images, protocol and notes.
glossary      The words of tables, footers and messages, each explained in a line or two.
grid          Printed rates and the counts that they can come from.
latex         Tables and numbers as LaTeX: booktabs rules, and a macro for every number.
lint          Rows of a results table that no segmentation can have produced.
markup        Plain text in Markdown.
ours          What our own maps give for the classical rows that others print.
printed       A table of results as somebody printed it.
published     What papers print: the tables of pixelGame's paper, and scores published elsewhere.
references    Whom to cite: BibTeX entries of just the methods and data sets in use.
reproduced    Published rows beside what our maps give under the profile of their source.
reproducedpage  The same as a page in Markdown and as a CSV file.
scores        How a table writes a score: its head, its digits, its unit, and which end is better.
table         A table as a frame, and as CSV, Markdown, LaTeX and HTML text.
table_vi      The paper's Table VI from results folders, data sets side by side.
testlists     The published test lists, and how many targets and pixels each holds.
"""
