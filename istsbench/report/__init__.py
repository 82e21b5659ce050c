"""What others read: the HTML report, and the folder for a paper.

bundle     What goes into a paper, in one folder: tables, numbers, figures, protocol, references.
failures   Where methods fail, image by image, as marks that a page draws over one picture.
page       One HTML file that shows all of a results folder, and works without a network.
paragraph  The protocol of results folders as a paragraph for a paper.
sections   What the report says of each method: citation, parameters, scores, times, pictures.
"""
