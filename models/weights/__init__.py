"""Where weights come from: files of every published convention, a download, or a seed."""
