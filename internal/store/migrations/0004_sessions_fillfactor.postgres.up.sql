-- Room in each page lets an update of a session stay in it and leave the indexes alone.
ALTER TABLE sessions SET (fillfactor = 80);
