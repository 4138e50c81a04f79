"""The science of cellSTORM and the words that its processes share."""
