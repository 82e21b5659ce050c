"""What runs have left: read back, checked, judged, exchanged and run again.

archive      The zip archive of a results pack, read without trust in what it says of itself.
areas        The areas under the ROC that the field prints, side by side.
countcheck   What the counts and the curve of a pack must look like.
edit         Rows of a results folder taken out, or given another label. Maps stay.
evaluation   Scores as a table of pandas: of a method that is at hand, and of results on disk.
folders      Which results folder a data set's name stands for.
intervals    How far scores can be trusted: intervals over images, and paired comparisons.
manifest     `protocol.toml`: what the results of a folder are, as a file to run them again from.
masks        The masks behind stored counts, from score maps or, for rows of a pack, as run lengths.
missing      Score maps that are not stored although their counts are.
packcheck    What a results pack must look like inside.
packs        Results packs: rows that travel, and are checked before they join a table.
prediction_files  Files of predictions as codes of the field write them: found, and read.
predictions  Anyone's predictions as rows among the others.
profile_counts  One image under a profile, counted, and the scores of many.
profiled     The stored maps of a results folder scored under a profile.
profiles     How the public codes of the field turn maps into scores, each as a value.
protocol     The protocol of a number, as a value with a short id.
rerun        A run made again from its `protocol.toml`, and what it gives beside what it gave.
resized      Methods run on images that are resized as the code of a profile resizes them.
results      What runs have left on disk, read back and reduced to one line a method.
rows         The rows of a results folder by what a user calls them: name, label or group, by comma.
seeds        Trainings that differ by their seed alone, and their mean and spread as one row.
sensitivity  How far a ranking depends on the protocol: rule, reduction and size of the maps.
shipped      The rows that come with the package: our counts of NUAA-SIRST and NUST-SIRST.
trained      What the foot of a table says of weights: on which images they were trained.
"""
