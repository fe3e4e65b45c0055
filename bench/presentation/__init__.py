"""Tables as plain data, in words ready to print, and how a terminal draws them."""
