//! Many rows as one parameter for each column, for `unnest`: one statement, planned once, for any number of rows.

/// One column of the rows.
pub(super) fn column<'r, R, T>(rows: &'r [R], cell: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(cell).collect()
}
