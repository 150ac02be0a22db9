"""Files of other kinds than NIfTI volumes in a folder: BIDS data sets, DICOM series. No method is known here."""
