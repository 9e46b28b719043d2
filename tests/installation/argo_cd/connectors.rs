//! Deleting what Argo CD has applied.
