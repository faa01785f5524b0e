"""One data set, one file: each reads its layout into lists of pictures with their classes or masks."""
