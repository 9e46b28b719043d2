{{/* Whom Pods of the release may reach where traffic is limited: as asked, or DNS, Cloudflare and the API server. */}}

{{- define "cloudflare-sso-operator.egress" -}}
{{- with .Values.networkPolicy }}
{{- if .egress }}
{{ toYaml .egress }}
{{- else }}
# DNS
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
# Cloudflare and the API server, whose addresses nobody knows beforehand
- ports:
    - port: 443
      protocol: TCP
    - port: 6443
      protocol: TCP
{{- end }}
{{- with .extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}
