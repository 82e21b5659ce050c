"""The figures: how they look, and what each shows.

boxes        Boxes around regions: what a mask found, missed and invented, and what an inset shows.
catalogue    The figures by name, and the standard set that follows a run.
charts       Bars, difficulty and critical differences of scores.
freshness    Which figures of a results folder belong to what is being written.
labels       Labels beside the points of a figure, clear of each other and of lines.
panels       A page of grey panels with boxes and labels, composed into one array.
pdfa         Detection probability against false alarms: the curve of targets instead of pixels.
pictures     Figures of images, maps and masks, each a pure function of stored results.
roc          ROC and precision-recall curves, drawn from the curves that runs have stored.
sensitivity  Rank against protocol: the figure of the sensitivity study.
statistics   Number, area and SCR of the targets of data sets: the figure and its files.
style        How every figure looks: sizes, fonts, colours, the line at its foot.
tradeoff     Score against what it costs: seconds per image, or trained parameters.
writing      How a figure reaches the disk: one function for all of them.
"""
