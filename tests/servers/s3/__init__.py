"""A local S3-compatible store."""
