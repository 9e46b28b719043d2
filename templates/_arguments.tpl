{{/* The operator's command line and environment. */}}

{{- define "cloudflare-sso-operator.arguments" -}}
{{- $filter := printf "%s,kube=warn,kube_runtime=error,tower=warn,hyper=warn" .Values.log.level -}}
- run
- --cloudflare-base-url={{ .Values.cloudflare.baseURL }}
- --listen={{ .Values.http.address }}:{{ .Values.http.port }}
- --log-filter={{ .Values.log.filter | default $filter }}
- --log-format={{ .Values.log.format }}
- --calls-per-second={{ .Values.rate.callsPerSecond }}
- --call-burst={{ .Values.rate.burst }}
- --poll-unverified={{ .Values.poll.unverified }}
- --poll-settled={{ .Values.poll.settled }}
- --lease-name={{ include "cloudflare-sso-operator.fullname" . }}
{{- with .Values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
{{- with .Values.defaultCredentials }}
{{- if .existingSecret }}
- --default-token-file=/etc/cloudflare-sso-operator/default-token/{{ .key }}
- --default-token-grants={{ join "," .grants }}
{{- end }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cloudflare-sso-operator.environment" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: LEASE_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- range $name, $value := dict "HTTP_PROXY" .Values.httpProxy "HTTPS_PROXY" .Values.httpsProxy "NO_PROXY" .Values.noProxy }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- if or .Values.caBundle.configMap .Values.caBundle.secret }}
- name: SSL_CERT_FILE
  value: /etc/cloudflare-sso-operator/ca-bundle/{{ .Values.caBundle.key }}
# With the file alone, the authorities of the image would not be trusted any more.
- name: SSL_CERT_DIR
  value: /etc/ssl/certs
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
