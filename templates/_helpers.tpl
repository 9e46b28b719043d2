{{/* Names, labels and fragments that several templates share. Names are quoted, as `123` is one, too. */}}

{{- define "cloudflare-sso-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* The name of all objects. Short enough for the longest suffix within the 63 characters of a label. */}}
{{- define "cloudflare-sso-operator.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- $full | trunc 44 | trimSuffix "-" -}}
{{- end }}

{{- define "cloudflare-sso-operator.serviceAccountName" -}}
{{- if and .Values.rbac.create (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.name is needed with serviceAccount.create=false: name the ServiceAccount that the rights are for, as whatever runs as `default` would have them, too; or set rbac.create=false" -}}
{{- end -}}
{{- $default := .Values.serviceAccount.create | ternary (include "cloudflare-sso-operator.fullname" .) "default" -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end }}

{{- define "cloudflare-sso-operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* What selects the operator's Pods, and no other of the release; it never changes, as a Deployment's selector cannot. */}}
{{- define "cloudflare-sso-operator.selector" -}}
app.kubernetes.io/name: {{ include "cloudflare-sso-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{/* The labels of every object. */}}
{{- define "cloudflare-sso-operator.labels" -}}
app.kubernetes.io/name: {{ include "cloudflare-sso-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
{{- end }}

{{/*
The metadata of an object. Its argument: `root`, and where they are not the release's, `name` or `suffix` of the name,
`namespace` ("" for what has none), `labels` and `annotations`. Labels of the chart win, as selectors rest on them.
*/}}
{{- define "cloudflare-sso-operator.metadata" -}}
{{- $root := .root -}}
{{- $own := include "cloudflare-sso-operator.labels" $root | fromYaml -}}
{{- $labels := mergeOverwrite (dict) $root.Values.commonLabels (.labels | default dict) $own -}}
{{- $annotations := mergeOverwrite (dict) $root.Values.commonAnnotations (.annotations | default dict) -}}
name: {{ .name | default (printf "%s%s" (include "cloudflare-sso-operator.fullname" $root) (.suffix | default "")) | quote }}
{{- with hasKey . "namespace" | ternary .namespace $root.Release.Namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The operator's ServiceAccount as the subject of a binding. */}}
{{- define "cloudflare-sso-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "cloudflare-sso-operator.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
