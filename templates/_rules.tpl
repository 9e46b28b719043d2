{{/* What the operator may do. A test holds these rules to the table of the rights that it needs. */}}

{{/* Wherever objects are watched. No `list` and no `watch` on Secrets: a token is read by name when it is needed. */}}
{{- define "cloudflare-sso-operator.objectRules" -}}
- apiGroups: [cloudflare-sso.dev]
  resources: [ssoconnectors]
  # patch: only the finalizer; the operator never writes a spec.
  verbs: [get, list, watch, patch]
- apiGroups: [cloudflare-sso.dev]
  resources: [ssoconnectors/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces]
  # Whether the namespace of an object that cannot be deleted is going away, too.
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* In the cluster, always. */}}
{{- define "cloudflare-sso-operator.definitionRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [ssoconnectors.cloudflare-sso.dev]
  # Nothing is written under a definition that would lose fields, and objects that go because their definition goes leave
  # their connectors alone.
  verbs: [get, list, watch]
{{- end }}

{{/* In the operator's own namespace: the Lease that decides which replica acts. */}}
{{- define "cloudflare-sso-operator.leaseRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "cloudflare-sso-operator.fullname" . | quote }}]
  verbs: [get, watch, update]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  # RBAC cannot tie a create to a name.
  verbs: [create]
{{- end }}
