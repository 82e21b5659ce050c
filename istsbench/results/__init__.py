"""What runs have left: read back, checked, judged, exchanged and run again."""
