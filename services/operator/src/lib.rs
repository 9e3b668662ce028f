//! From a Function to what runs it.
