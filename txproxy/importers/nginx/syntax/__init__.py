"""What nginx's files are written in: words, directives and blocks, measures, variables, regular expressions."""
