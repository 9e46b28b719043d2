{{/*
The operator's command line and environment. What `check` asks for, too, is in the environment, so that it needs no flags in
the Pod.
*/}}

{{- define "cloudflare-sso-operator.arguments" -}}
{{- $filter := printf "%s,kube=warn,kube_runtime=error,tower=warn,hyper=warn" .Values.log.level -}}
- run
- --listen={{ .Values.http.address }}:{{ .Values.http.port }}
- --log-filter={{ .Values.log.filter | default $filter }}
- --log-format={{ .Values.log.format }}
- --calls-per-second={{ .Values.rate.callsPerSecond }}
- --call-burst={{ .Values.rate.burst }}
- --poll-unverified={{ .Values.poll.unverified }}
- --poll-settled={{ .Values.poll.settled }}
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
- name: LEASE_NAME
  value: {{ include "cloudflare-sso-operator.fullname" . }}
{{- with .Values.watchNamespaces }}
- name: WATCH_NAMESPACES
  value: {{ join "," . }}
{{- end }}
- name: CLOUDFLARE_BASE_URL
  value: {{ .Values.cloudflare.baseURL }}
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
