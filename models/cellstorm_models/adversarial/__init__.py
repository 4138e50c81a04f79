"""The paper's own generators, `pix2pix` and the earlier version's `enhance`: a U-Net trained against a discriminator."""
