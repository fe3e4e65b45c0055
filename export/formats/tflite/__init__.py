"""TFLite files: the flatbuffer, emission and quantisation."""
