"""Methods after the human visual system: contrast of a cell against its eight neighbours."""
