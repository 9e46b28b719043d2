{{/* What is mounted, as volumes of the Pod and mounts of the container. Both are empty if there is nothing. */}}

{{- define "cloudflare-sso-operator.volumes" -}}
{{- with .Values.defaultCredentials.existingSecret }}
- name: default-token
  secret:
    secretName: {{ . | quote }}
    # Objects without the default token need not wait for it.
    optional: true
    defaultMode: 0440
{{- end }}
{{- with .Values.caBundle }}
{{- if .configMap }}
- name: ca-bundle
  configMap:
    name: {{ .configMap | quote }}
{{- else if .secret }}
- name: ca-bundle
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cloudflare-sso-operator.volumeMounts" -}}
{{- with .Values.defaultCredentials.existingSecret }}
- name: default-token
  mountPath: /etc/cloudflare-sso-operator/default-token
  readOnly: true
{{- end }}
{{- if or .Values.caBundle.configMap .Values.caBundle.secret }}
- name: ca-bundle
  mountPath: /etc/cloudflare-sso-operator/ca-bundle
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
