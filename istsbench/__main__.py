"""`python -m istsbench`, for what starts modules: `torchrun -m istsbench train ...`."""

from istsbench.cli import main

main()
