"""A run: processes, shards or a cluster, the store of maps, the counts and their record.

apply          A method on pictures without labels, from Python: `istsbench.apply`.
apply_files    Methods on files without labels: masks, maps and targets, resumable.
apply_outputs  The folder of one method's outputs for unlabelled pictures.
cluster        The calls of a run on a Dask cluster, instead of in processes here.
counting       Stored maps to counts on disk: the cheap half of a run, a function of files alone.
environment    What `istsbench env` shows: all that a result may depend on besides the method.
forecast       What a run will cost, before it starts: seconds = a * pixels ** b, for each method.
handed_in      A method as Python code hands it in.
images         Which images a run is about, and the name of the folder that its results go to.
learnt         What a method has learnt from, as its record tells it.
maps           The store of score maps: one file an image, complete or absent.
outputs        Which files a run writes, and where each lies.
pool           Calls in processes of our own, one at a time in each.
record         The record of a method, METHOD.json.
run            A run: methods x images -> maps -> counts, resumable at the image.
scoring        Images to stored maps, the expensive half of a run, and each method's maps to counts.
segmenting     One image through one method to its map, mask and targets.
shards         A run divided over machines that do not talk: each scores a shard, the last counts.
targets        From a score map and a mask to targets: a table, boxes, a picture to look at.
"""
