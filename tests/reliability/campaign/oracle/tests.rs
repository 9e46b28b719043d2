//! The oracle itself: that it knows right from wrong.
