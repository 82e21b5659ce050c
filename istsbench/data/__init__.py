"""The data sets: what their files hold, what is wrong with them, what is in them."""
