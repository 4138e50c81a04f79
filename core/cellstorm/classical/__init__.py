"""Localization without a network: wavelet filter, local maxima, maximum-likelihood fit of a Gaussian."""
