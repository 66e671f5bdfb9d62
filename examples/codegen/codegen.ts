import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  // In a repository of your own: "http://localhost:8080/schema.graphqls", or a copy of that in a file.
  schema: "../../schema.graphqls",
  // Your own documents stand beside them: add "src/**/*.{ts,tsx}".
  documents: ["../../operations/*.graphql"],
  emitLegacyCommonJSImports: false,
  generates: {
    "src/gql/": {
      preset: "client",
      presetConfig: {
        // Writes persisted-documents.json too: a list of trusted documents, for the server.
        persistedDocuments: { hashAlgorithm: "sha256" },
        fragmentMasking: false,
      },
      config: {
        documentMode: "string",
        useTypeImports: true,
        // Every scalar has to be listed here, or none of it is generated.
        strictScalars: true,
        scalars: { DateTime: "string", EmailAddress: "string" },
        // ErrorCode and AuditEvent may grow: a switch over one needs a default.
        enumsAsTypes: true,
        futureProofEnums: true,
      },
    },
  },
};

export default config;
