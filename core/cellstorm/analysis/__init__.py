"""What a localization table tells about itself: drift, resolution, precision, blinking. Arrays in, figures out."""
