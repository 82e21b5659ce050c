"""The tables and what else of them goes into a paper, beside what papers print.

columns       What a column of numbers in a table holds, and the name it is written under.
combined      Table VI of several data sets as files, which never replace a table that shows more.
counterparts  The paper's tables IV.
latex         Tables and numbers as LaTeX: booktabs rules, and a macro for every number.
lint          Rows of a results table that no segmentation can have produced.
markup        Plain text in Markdown.
printed       A table of results as somebody printed it.
published     What papers print: the tables of pixelGame's paper, and scores published elsewhere.
references    Whom to cite: BibTeX entries of just the methods and data sets in use.
table         A table as a frame, and as CSV, Markdown, LaTeX and HTML text.
table_vi      The paper's Table VI from results folders, data sets side by side.
"""
