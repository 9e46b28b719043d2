{{/*
The operator's command line and environment. What `check` asks for, too, is in the environment, so that it needs no flags in
the Pod.
*/}}

{{- define "cloudflare-sso-operator.arguments" -}}
{{- $filter := printf "%s,kube=warn,kube_runtime=error,tower=warn,hyper=warn,hickory=off" .Values.log.level -}}
- run
- {{ printf "--listen=%s:%v" .Values.http.address .Values.http.port | quote }}
- {{ printf "--log-filter=%s" (.Values.log.filter | default $filter) | quote }}
- {{ printf "--log-format=%s" .Values.log.format | quote }}
- {{ printf "--calls-per-second=%v" .Values.rate.callsPerSecond | quote }}
- {{ printf "--call-burst=%v" .Values.rate.burst | quote }}
- {{ printf "--poll-unverified=%s" .Values.poll.unverified | quote }}
- {{ printf "--poll-settled=%s" .Values.poll.settled | quote }}
- {{ printf "--dns-lookups=%s" (ternary "on" "off" .Values.dns.lookups) | quote }}
{{- with .Values.dns.nameservers }}
- {{ printf "--dns-nameservers=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.defaultCredentials }}
{{- if .existingSecret }}
- {{ printf "--default-token-file=/etc/cloudflare-sso-operator/default-token/%s" .key | quote }}
- {{ printf "--default-token-grants=%s" (join "," .grants) | quote }}
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
  value: {{ include "cloudflare-sso-operator.fullname" . | quote }}
{{- with .Values.watchNamespaces }}
- name: WATCH_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
- name: CLOUDFLARE_BASE_URL
  value: {{ .Values.cloudflare.baseURL | quote }}
{{- range $name, $value := dict "HTTPS_PROXY" .Values.httpsProxy "NO_PROXY" .Values.noProxy }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- if or .Values.caBundle.configMap .Values.caBundle.secret }}
- name: SSL_CERT_FILE
  value: {{ printf "/etc/cloudflare-sso-operator/ca-bundle/%s" .Values.caBundle.key | quote }}
# With the file alone, the authorities of the image would not be trusted any more.
- name: SSL_CERT_DIR
  value: /etc/ssl/certs
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
