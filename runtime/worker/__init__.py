"""The process that measures: it reads a `spec.Spec` and answers with raw samples."""
