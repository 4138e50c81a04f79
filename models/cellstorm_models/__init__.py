"""Simulation, training and export of generators. Importing the package alone does not need torch."""
