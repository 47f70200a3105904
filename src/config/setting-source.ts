/** Something wrong with the settings, for the one list that the operator gets. */
export interface SettingProblem {
  /** Where it stands: `environment NIGHTSCRIBE_S3_REGION`, `config/default.yaml: engine.model`. */
  source: string
  /** What is wrong and what would be right; follows the source and a colon. */
  sentence: string
}

/** A value given for a setting, not yet checked against the schema. */
export interface GivenValue {
  path: string
  value: unknown
  source: string
}

/** What one source says. */
export interface SourceReading {
  given: GivenValue[]
  problems: SettingProblem[]
}
