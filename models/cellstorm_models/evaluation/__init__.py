"""How good generators are, on recordings whose truth is known.

compare -> metrics -> results -> figures, page. All but `pairs` and `peers`, which read files, are tables in, values out.
`exported` runs a generator, and alone needs torch.
"""
