"""How good is it, and how sure is that? Arrays in, tables out; knows no detector."""
