"""The data sets: what their files hold, what is wrong with them, what is in them.

datasets    The data sets by name: where their folders are looked for, and how they are divided.
depth       How pictures deeper than 8 bit come to the grey scale of the methods, 0..255.
difficulty  What makes an image hard: its number of targets, their size, their local SCR.
duplicates  Pictures that show the same scene, found by small thumbnails.
fetch       Download of data sets: every file verified, the whole set or nothing.
findings    What the doctor found, and how it is printed.
frames      Pictures without labels: which files are meant, and their frames.
images      From an image file to one plane of grey levels, in one place.
inspection  A close look at one pair of image and mask file.
layouts     How the folder of a data set is laid out: where its pairs lie, its lists.
lists       Lists that divide the images of a folder, and the names in them.
manifest    What the published files of a data set hold, pixel by pixel.
names       How people name data sets and their results on a command line.
pairs       The pictures of a folder, and image and mask joined by name.
samples     One image with its truth, and a data set as samples by name.
statistics  What the targets of a data set are like: number, size, contrast, SCR.
synthetic   The embedded data set: 128x128-like scenes from a seed, no file needed.
tiff        TIFF files deeper than 8 bit.
truth       From the picture of a mask to the mask, or a refusal.
verify      The doctor: what is wrong with a data set, all of it in one report.
"""
