-- Removed, not false: Argo CD leaves alone only what Git does not mention.
obj.spec.suspend = nil
return obj
