"""Networks: how they are built, fed, trained, stored, and what they cost.

checkpoint  Tensors on disk: weight files to share, and checkpoints that a training goes on from.
convert     Weights of another implementation of a network of ours, as a weight file of ours.
cost        What a network costs: weights, operations, time and memory (Table VIII).
foreign     Checkpoints of PyTorch code of others, read without running any code.
fused       Batch norms in fewer passes over memory: for training on a CPU, and for scoring.
greylevels  How a network of others normalises grey levels, folded into the first batch norm.
history     How far a training is: a row an epoch, and what is shown of it.
kernels     Loops over feature maps for a CPU, compiled by numba.
lanes       Vectors of 16 numbers for such loops, and a product of small matrices.
learner     What moves the weights of a network: one training step, and the state that it keeps.
network     The base of every network: preprocessing, batches, padding, weights, device.
patches     Training patches: a split held in memory as 8-bit pixels, cut, turned and normalised.
planning    What a training is to do, decided before it begins: recipe, images, preprocessing, seed.
recipe      How a network is trained and fed: its recipe, its preprocessing, device and precision.
rounded     Weight files in 8 bits a weight, for networks that are too large for a wheel.
training    The one way to train a network.
widening    A start from other weights: those of the same network, or of a narrower one, widened.
winograd    3x3 convolutions in fewer multiplications, for scoring.
"""
