"""The methods that the benchmark compares, one file each, in the groups of the paper's Table VI."""
