"""The sections of the page of a comparison, each made ready for its template."""
