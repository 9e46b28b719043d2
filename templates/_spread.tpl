{{/* How several replicas spread: as asked, or over nodes and zones. A constraint without a selector is about our Pods. */}}

{{- define "cloudflare-sso-operator.spread" -}}
{{- $selector := dict "matchLabels" (include "cloudflare-sso-operator.selector" . | fromYaml) -}}
{{- $constraints := .Values.topologySpreadConstraints -}}
{{- if and (not $constraints) (gt (int .Values.replicaCount) 1) -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" -}}
{{- $constraint := dict "maxSkew" 1 "topologyKey" $key "whenUnsatisfiable" "ScheduleAnyway" -}}
{{- $constraints = append $constraints $constraint -}}
{{- end -}}
{{- end -}}
{{- range $constraints }}
- {{ toYaml (merge (dict) . (dict "labelSelector" $selector)) | nindent 2 | trim }}
{{- end }}
{{- end }}
