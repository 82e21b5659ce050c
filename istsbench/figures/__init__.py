"""The figures: how they look, and what each shows.

boxes        Boxes around regions: what a mask found, missed and invented, and what an inset shows.
catalogue    The figures by name, and the standard set that follows a run.
charts       Bars, difficulty and critical differences of scores.
curves       Curves of many methods: some on one pair of axes, or a panel a group.
fonts        Which fonts letters are taken from, and how wide a text is.
freshness    Which figures of a results folder belong to what is being written.
hiou         What each method loses where: hIoU and its errors as one bar a method.
labels       Labels beside the points of a figure, clear of each other and of lines.
mosaics      Pages of pictures: maps and masks of all methods for some images.
panels       A page of grey panels with boxes and labels, composed into one array.
pdfa         Detection probability against false alarms: the curve of targets instead of pixels.
pictures     What figures of images show: which images, their maps and masks, in what grey levels.
roc          ROC and precision-recall curves, drawn from the curves that runs have stored.
sensitivity  Rank against protocol: the figure of the sensitivity study.
statistics   Number, area and SCR of the targets of data sets: the figure and its files.
style        How every figure looks: widths, sizes, colours, ticks, the line at its foot.
surfaces     Maps of one image as surfaces in space.
tradeoff     Score against what it costs: seconds per image, or trained parameters.
writing      How a figure reaches the disk: one function for all of them.
"""
