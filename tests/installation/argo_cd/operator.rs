//! The operator from its chart.
