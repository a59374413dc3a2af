"""The compiled core and the NumPy twin behind one facade."""
